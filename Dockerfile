# docker build -t geosharp .
# docker run --rm -v "$PWD:/data" -u "$(id -u):$(id -g)" geosharp fuse pan.tif ms.tif -o sharp.tif
#
# For a GPU: docker build --build-arg TORCH_BUILD=cu130 -t geosharp:cuda .   (then: docker run --gpus all ...)

ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
# cpu, or the CUDA build that the host's driver supports, as PyTorch names it.
ARG TORCH_BUILD=cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/geosharp
WORKDIR /source
# torch comes first and alone: the largest layer, rebuilt only when the pins change.
COPY constraints.txt ./
RUN /opt/geosharp/bin/pip install --no-deps -c constraints.txt \
    --index-url "https://download.pytorch.org/whl/${TORCH_BUILD}" torch
COPY pyproject.toml README.md LICENSE ./
COPY geosharp ./geosharp
COPY models ./models
RUN /opt/geosharp/bin/pip install -c constraints.txt .

FROM ${PYTHON_IMAGE}
# rasterio's wheel leaves libexpat to the system, and the slim image has none.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libexpat1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 geosharp
COPY --from=build /opt/geosharp /opt/geosharp
ENV PATH=/opt/geosharp/bin:$PATH
USER geosharp
WORKDIR /data
ENTRYPOINT ["geosharp"]
CMD ["--help"]
