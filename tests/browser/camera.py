"""What Chromium's fake camera sees: a file of raw frames, written before the page asks for the camera."""

from pathlib import Path

import qrcode
from PIL import Image

WIDTH, HEIGHT, FRAMES = 640, 480, 8


class FakeCamera:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.show_nothing()

    def show_nothing(self) -> None:
        self._write(Image.new("L", (WIDTH, HEIGHT), 200))

    def show(self, text: str) -> None:
        """A QR code held before the camera."""
        self.show_picture(qrcode.make(text, border=4).get_image())

    def show_picture(self, picture: Image.Image) -> None:
        """A picture, such as of somebody's screen, held before the camera."""
        frame = Image.new("L", (WIDTH, HEIGHT), 200)
        frame.paste(picture.convert("L").resize((400, 400)), ((WIDTH - 400) // 2, (HEIGHT - 400) // 2))
        self._write(frame)

    def _write(self, frame: Image.Image) -> None:
        grey = frame.tobytes() + bytes([128]) * (WIDTH * HEIGHT // 2)
        header = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode()
        self.path.write_bytes(header + (b"FRAME\n" + grey) * FRAMES)
