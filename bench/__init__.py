"""Where the README's figures come from: each program measures a ratio within one run."""
