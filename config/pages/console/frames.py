"""A camera's frame into the text of its QR code, for browsers that cannot read one themselves."""

import io
import logging

import zxingcpp
from PIL import Image

FRAME_AT_MOST_BYTES = 256 * 1024
SIDE_AT_MOST_PIXELS = 1_280
log = logging.getLogger(__name__)


def text_of(frame: bytes) -> str | None:
    """
    The text of a QR or a bar code in a JPEG; None where there is none, or no such picture.

    Bounded twice: the bytes by the view, the pixels by the header, which is read before anything is decoded.
    """
    try:
        with Image.open(io.BytesIO(frame), formats=["JPEG"]) as picture:
            if max(picture.size) > SIDE_AT_MOST_PIXELS:
                return None
            grey = picture.convert("L")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        log.info("a frame that is no JPEG: %s", error)
        return None
    found = zxingcpp.read_barcodes(grey)
    return next((one.text for one in found if one.text), None)
