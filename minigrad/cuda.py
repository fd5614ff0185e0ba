"""What a script asks before it uses a GPU. There is none: `"cuda" if is_available() else "cpu"` is "cpu"."""

__all__ = ["device_count", "is_available", "manual_seed", "manual_seed_all"]


def is_available() -> bool:
    """False: tensors live on the CPU.

    >>> import minigrad
    >>> minigrad.device("cuda" if minigrad.cuda.is_available() else "cpu")
    device(type='cpu')
    """
    return False


def device_count() -> int:
    """0, the number of GPUs.

    >>> import minigrad
    >>> minigrad.cuda.device_count()
    0
    """
    return 0


def manual_seed(seed: int) -> None:
    """Does nothing, for there is no GPU whose generator could be seeded; see `minigrad.manual_seed`.

    >>> import minigrad
    >>> minigrad.cuda.manual_seed(0)
    """


def manual_seed_all(seed: int) -> None:
    """Does nothing, as `manual_seed`.

    >>> import minigrad
    >>> minigrad.cuda.manual_seed_all(0)
    """
