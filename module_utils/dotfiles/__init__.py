"""The owner's dotfiles, as they are fetched on the controller."""
