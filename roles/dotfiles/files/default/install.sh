#!/bin/sh
# Installs this small set: links what is not there yet, adds to what is.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

for name in vimrc inputrc tmux.conf; do
    if [ -e "$HOME/.$name" ] && [ ! -L "$HOME/.$name" ]; then
        echo "kept your own ~/.$name"
    else
        ln -sfn "$here/$name" "$HOME/.$name"
    fi
done

# Included, not linked: git config --global writes into ~/.gitconfig
if ! git config --global --get-all include.path | grep -qxF "$here/gitconfig"; then
    git config --global --add include.path "$here/gitconfig"
fi

line=". \"$here/bashrc\""
if ! grep -qxF "$line" "$HOME/.bashrc" 2>/dev/null; then
    printf '\n%s\n' "$line" >>"$HOME/.bashrc"
fi
