"""Makes a picture small: shrink.py FROM TO HEIGHT keeps the upper part, in as many colours as a page has."""

import sys

from PIL import Image

source, target, height = sys.argv[1:]
picture = Image.open(source).convert("RGB")
picture = picture.crop((0, 0, picture.width, min(picture.height, int(height))))
picture.quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)
