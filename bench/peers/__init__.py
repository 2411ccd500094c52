"""What we are compared with. Each peer runs in an environment of its own under bench/.venvs, made when first needed."""
