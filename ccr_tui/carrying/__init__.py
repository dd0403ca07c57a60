"""Getting what is on the screen out of it: to the clipboard at the operator's end, or to a file."""
