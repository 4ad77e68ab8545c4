"""Every error tells its four parts in one line, and the exit code tells usage from failure."""

from __future__ import annotations

import pickle

import pytest

from geosharp import errors


@pytest.mark.parametrize("leaf", [v for v in vars(errors).values() if isinstance(v, type)])
def test_the_message_is_made_of_its_parts(leaf: type[errors.GeosharpError]) -> None:
    error = leaf("pan.tif", "two bands", "one band", "pass PAN first")
    assert str(error) == "pan.tif: two bands; needed: one band. Pass PAN first."
    assert (error.subject, error.found, error.needed, error.remedy) == (
        "pan.tif",
        "two bands",
        "one band",
        "pass PAN first",
    )
    assert error.exit_code == (2 if leaf is errors.UsageError else 1)


def test_an_error_comes_whole_from_another_process() -> None:
    error = errors.OutputError("out.tif", "exists", "a new file", "choose another")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - as multiprocessing does
    assert (type(again), str(again), again.remedy) == (errors.OutputError, str(error), "choose another")
