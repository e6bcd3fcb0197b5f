"""Decides how many cases a worker claims at once: the number that it processes in a given time.

A claimed case cannot be overtaken. If one hospital sends very many cases, an urgent case or the
first case of another hospital therefore waits for the duration of one batch.
"""


class AdaptiveBatch:
    """Averages the time per image. The latest batch weighs as much as all earlier batches
    together.
    """

    def __init__(self, max_images: int, batch_s: float) -> None:
        self._max_images = max_images
        self._batch_s = batch_s
        self._image_s: float | None = None

    def size(self) -> int:
        """Return the number of cases: at least one, and the maximum before the first batch."""
        if not self._image_s:
            return self._max_images
        images_in_time = min(self._batch_s / self._image_s, self._max_images)
        return max(int(images_in_time), 1)

    def record(self, images: int, seconds: float) -> None:
        if images == 0:
            return
        newest_s = seconds / images
        if self._image_s is None:
            self._image_s = newest_s
        else:
            self._image_s = (self._image_s + newest_s) / 2
