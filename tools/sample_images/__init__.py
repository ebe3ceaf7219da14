"""Sample images for a machine without a data set: fruit on a turntable, in the layout and look of Fruits-360.

Outside the product: the pipelines take these images like any photographs.
"""

from pathlib import Path

from PIL import Image
from tqdm import tqdm

from fruits_bigdata.storage.files import atomic_write
from tools.sample_images.fruits import FRUITS
from tools.sample_images.surfaces import Fruit

SAMPLE_CLASSES = tuple(sorted(FRUITS))
IMAGES_PER_TURN = 20
_SIZE = 100


def write_sample_images(root: Path, images_per_class: int = IMAGES_PER_TURN) -> int:
    """Draw the images that `root` lacks, as 100 x 100 JPEG files `<root>/<class name>/<index>_100.jpg`.

    The same index gives the same image. One appears under its name only once it is complete; files that are
    there already are left alone.

    Returns:
        The number drawn.

    Raises:
        OSError: `root` cannot be written.
    """
    images = [(name, index) for name in SAMPLE_CLASSES for index in range(images_per_class)]
    paths = {image: Path(root, image[0], f"{image[1]}_{_SIZE}.jpg") for image in images}
    missing = [image for image in images if not paths[image].exists()]
    drawn: dict[str, Fruit] = {}
    # The delay keeps the bar from flashing up when there is nothing to draw.
    for name, index in tqdm(missing, "Drawing", unit=" images", delay=0.01):
        if name not in drawn:
            drawn = {name: FRUITS[name]()}
        # Further turns fall between the first one's angles, evenly by the golden section.
        angle = 360 / IMAGES_PER_TURN * (index + index // IMAGES_PER_TURN * 0.618034)
        image = Image.fromarray(drawn[name].picture(angle, _SIZE))
        with atomic_write(str(paths[name, index])) as file:
            image.save(file, "JPEG", quality=95)
    return len(missing)
