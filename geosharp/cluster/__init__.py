"""Work sent to other processes and computers, through Dask: knows nothing of images."""
