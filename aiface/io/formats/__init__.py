"""What single formats of pictures need beyond Pillow."""
