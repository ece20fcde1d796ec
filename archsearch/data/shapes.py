"""The shape of the data a space can name, known without loading them."""

from dataclasses import dataclass
from pathlib import Path

from archsearch.data.weights import require_known_classes
from archsearch.space.data_words import TABLES, Data


@dataclass(frozen=True, slots=True)
class DataShape:
    """What a network must take and give.

    Attributes
    ----------
    input_shape : tuple of int
        One sample: ``(height, width, channels)`` of an image, ``(features,)`` of a table's row.
    classes : tuple of str
    """

    input_shape: tuple[int, ...]
    classes: tuple[str, ...]


TEN = tuple("0123456789")
FASHION = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
CIFAR_10 = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
CIFAR_100 = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl",
    "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair",
    "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin",
    "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp",
    "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain",
    "mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck",
    "pine_tree", "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
    "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider",
    "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television",
    "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf",
    "woman", "worm",
)  # fmt: skip

SHAPES = {
    "digits": DataShape((8, 8, 1), TEN),
    "mnist": DataShape((28, 28, 1), TEN),
    "fashion_mnist": DataShape((28, 28, 1), FASHION),
    "cifar10": DataShape((32, 32, 3), CIFAR_10),
    "cifar100": DataShape((32, 32, 3), CIFAR_100),
}


def data_shape(data: Data, folder: Path = Path()) -> DataShape:
    """The shape of `data`, at as little cost as their source allows.

    Named data sets need nothing; a folder of images is listed and some headers are read; of archives the
    headers and labels are read. Tables have to be read, a function has to be called.

    Parameters
    ----------
    data : Data
    folder : path
        Where relative paths and the user's modules are looked up.

    Raises
    ------
    DataError
        If the source is not there or is not laid out as its word asks.
    """
    shape = _shape(data, folder)
    require_known_classes(data.class_weights, shape.classes)
    return shape


def _shape(data: Data, folder: Path) -> DataShape:
    if data.source is not None:
        return SHAPES[data.source]
    # Each of these needs a library that `archsearch check digits` does without.
    if data.image_folder is not None:
        from archsearch.data.folders import image_shape, list_folder

        listed = list_folder(data, folder)
        return DataShape(image_shape(data, listed), listed.classes)
    if data.kind in TABLES:
        from archsearch.data.tables import load_table

        table = load_table(data, folder)
        return DataShape(table.samples.stored.shape[1:], table.classes)
    from archsearch.data import arrays

    if data.npz is not None:
        return DataShape(*arrays.archive_shape(data, folder))
    return DataShape(*arrays.called_shape(data, folder))
