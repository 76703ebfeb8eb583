"""A window on the screen that shows pictures."""

import os
import sys

import numpy as np

from aiface.errors import VideoError


class Window:
    """A window through SDL, which is loaded only here: nothing else in this package needs a display."""

    def __init__(self, title: str, width: int, height: int):
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        if sys.platform == "linux":  # else SDL loads OpenGL, whose LLVM crashes Python beside TensorFlow's
            os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")
        import pygame

        self._pygame = pygame
        try:
            pygame.display.init()
            if pygame.display.get_driver() == "offscreen":  # SDL's last resort: a window that nobody sees
                raise pygame.error("only an invisible one")
            size = _fitted((width, height), pygame.display.get_desktop_sizes()[0], largest=1.0)
            self._screen = pygame.display.set_mode(size, pygame.RESIZABLE)
        except pygame.error as error:
            pygame.display.quit()
            raise VideoError(
                f"expected a display to open a window on, found none ({error}); "
                "use inference.ipynb, which shows the picture in the notebook"
            ) from None
        pygame.display.set_caption(title)

    def show(self, image: np.ndarray) -> bool:
        """Show an RGB uint8 image; False once the user has closed the window or pressed q or Escape."""
        pygame, screen = self._pygame, self._screen
        surface = pygame.image.frombuffer(np.ascontiguousarray(image), image.shape[1::-1], "RGB")
        surface = pygame.transform.smoothscale(surface, _fitted(surface.get_size(), screen.get_size()))
        screen.fill("black")
        screen.blit(surface, surface.get_rect(center=screen.get_rect().center))
        pygame.display.flip()
        return not any(
            event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key in (pygame.K_q, pygame.K_ESCAPE))
            for event in pygame.event.get()
        )

    def close(self) -> None:
        """Close the window."""
        self._pygame.display.quit()


def _fitted(size: tuple[int, int], room: tuple[int, int], largest: float = float("inf")) -> tuple[int, int]:
    """A width and height in the proportions of `size` that fill `room`, but scaled up by at most `largest`."""
    scale = min(room[0] / size[0], room[1] / size[1], largest)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
