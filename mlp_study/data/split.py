"""Which labelled images train and which validate. Needs no torch, so that an impossible split is refused at once."""

from __future__ import annotations

import numpy as np

from mlp_study.config.sections import Data
from mlp_study.errors import UserError


def split_sizes(data: Data, num_images: int) -> tuple[int, int]:
    """Numbers of training and of validation images.

    random: scikit-learn's rule, the validation part rounded up. last: Keras's rule, the training part rounded down.

    Raises:
        UserError: nothing is left to train on, or a batch is larger than what is left.
    """
    fraction = data.val_fraction
    num_train = (
        int(num_images * (1 - fraction)) if data.split == "last" else num_images - int(np.ceil(num_images * fraction))
    )
    if num_train < 1:
        raise UserError(f"data.val_fraction={fraction}: leaves nothing of {num_images} images to train on")
    if data.batch_size > num_train:
        raise UserError(
            f"data.batch_size={data.batch_size}: larger than the training split; expected at most {num_train}"
        )
    return num_train, num_images - num_train


def split_indices(data: Data, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training and of the validation images, as the checked settings `data` ask.

    random: as scikit-learn's train_test_split with `split_seed`, and by it where the split is to be stratified: its
    import takes a second. last: the last fraction, unshuffled, which is Keras's validation_split.
    """
    num_train, num_val = split_sizes(data, len(labels))
    everything = np.arange(len(labels))
    if num_val == 0 or data.split == "last":
        return everything[:num_train], everything[num_train:]
    if not data.stratify:
        shuffled = np.random.RandomState(data.split_seed).permutation(len(labels))
        return shuffled[num_val:], shuffled[:num_val]
    check_stratified(data, labels)
    from sklearn.model_selection import train_test_split

    train, val = train_test_split(
        everything, test_size=data.val_fraction, random_state=data.split_seed, stratify=labels
    )
    return train, val


def check_stratified(data: Data, labels: np.ndarray, classes: np.ndarray | None = None) -> None:
    """See that the split can be stratified, if asked for: scikit-learn's rule, without importing it.

    Args:
        data: settings that `split_sizes` has found possible.
        labels: (N,), from 0.
        classes: what they stand for.

    Raises:
        UserError: a class has one image alone, or a part is too small to have an image of each class.
    """
    num_train, num_val = split_sizes(data, len(labels))
    if not data.stratify or num_val == 0:
        return
    present, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2:
        lonely = present[counts.argmin()]
        name = lonely if classes is None else classes[lonely]
        raise UserError(f"data.stratify=true: class {name} has one image alone; expected at least 2 of each class")
    for part, num in (("training", num_train), ("validation", num_val)):
        if num < len(present):
            raise UserError(
                f"data.stratify=true: data.val_fraction={data.val_fraction} of {len(labels)} images leaves {num} "
                f"{part} images for {len(present)} classes; expected at least one of each"
            )
