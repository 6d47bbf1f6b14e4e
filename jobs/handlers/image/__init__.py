"""image-resize: pictures in other sizes and formats."""
