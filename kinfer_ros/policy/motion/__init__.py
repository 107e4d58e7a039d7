"""Reference motions: files, what a spec says of them, and what a tick reads of them."""
