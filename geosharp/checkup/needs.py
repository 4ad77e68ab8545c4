"""What a fusion needs of the computer: memory, and time."""

from __future__ import annotations

from geosharp.engine.computer import available_memory, tell_size
from geosharp.engine.setup import Setup
from geosharp.finding import Finding

# Million samples (PAN pixels x bands) a second on two cores, hyperthreads of one, as the README's tables have
# them; of hfreqdiff with the model base.
_RATES = {"hfreqdiff": 0.95, "exp": 65.0, "brovey": 81.0, "gsa": 59.0, "glp": 54.0, "glp-hpm": 49.0}
_CORES = 2
# More cores than these add little where writing is the bound.
_WRITING_CORES = 4
# Seconds for loading what computes, and for learning from the scene.
_BEGIN = 10.0
# Seconds that one wants to know of before.
_LONG = 3600.0
# Of the memory that is free.
_TIGHT = 0.8


def check_memory(setup: Setup) -> Finding:
    """Whether what the plan needs is free."""
    needed, free = setup.plan.memory, available_memory()
    facts = {"needed": needed, "free": free}
    text = f"about {tell_size(needed)} needed"
    if free is None:
        return Finding("memory", "ok", f"{text}; nobody can say how much is free", facts=facts)
    text += f", {tell_size(free)} free"
    if needed <= _TIGHT * free:
        return Finding("memory", "ok", text, facts=facts)
    advice = f"give --max-memory {max(1, int(_TIGHT * free / 2**20))}M, or end what else runs here"
    return Finding("memory", "warning" if needed <= free else "stop", text, advice, facts)


def check_duration(setup: Setup) -> Finding:
    """About how long it takes, by rates that were measured elsewhere."""
    samples = setup.plan.area.rect.area * len(setup.scene.bands) / 1e6
    if setup.on_gpu:
        text = "on a GPU, whose speed is not in our tables; far less than on the CPU"
        return Finding("duration", "ok", text)
    seconds = estimate_seconds(setup.method, samples, setup.plan.threads)
    facts = {"seconds": round(seconds), "method": setup.method, "million_samples": round(samples, 3)}
    work = f"{setup.method} on {setup.plan.threads} threads"
    text = f"about {_tell_time(seconds)} with {work}, by rates measured on another machine"
    if seconds < _LONG:
        return Finding("duration", "ok", text, facts=facts)
    quick = _tell_time(estimate_seconds("glp", samples, setup.plan.threads))
    advice = f"--method glp takes about {quick}, --model small half the time, a GPU far less"
    return Finding("duration", "note", text, advice, facts)


def estimate_seconds(method: str, samples: float, threads: int) -> float:
    """samples: millions of PAN pixels x bands."""
    cores = threads if method == "hfreqdiff" else min(threads, _WRITING_CORES)
    return _BEGIN + samples / (_RATES[method] * cores / _CORES)


def _tell_time(seconds: float) -> str:
    for unit, length in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
