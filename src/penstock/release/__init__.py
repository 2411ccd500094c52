"""Gold is released whole: staging and committing a release, remembering it, reading at it, letting it expire."""
