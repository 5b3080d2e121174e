"""Packages of the kernels of each layer's tables: a kernel is in the module of the table's name."""

KERNEL_ROOMS = {
    "silver": "jobs.operators.silver",
    "gold": "jobs.operators.gold",
    "study": "jobs.study.estimates",
}


def kernel_module(layer: str, name: str) -> str:
    return f"{KERNEL_ROOMS[layer]}.{name}"
