"""Answers to the epochs of a training, for tests without a driver."""


def at_once(on_epoch):
    """What `train` calls at an epoch's end; `on_epoch` gives how the training is to end, or None."""

    def tell(seed, epoch):
        ending = on_epoch(seed, epoch)
        return lambda _seconds: ending

    return tell


def late(on_epoch):
    """The same, of a driver that is slower than the next epoch."""

    def tell(seed, epoch):
        ending = on_epoch(seed, epoch)

        def hear(seconds):
            if seconds is not None:
                raise TimeoutError
            return ending

        return hear

    return tell
