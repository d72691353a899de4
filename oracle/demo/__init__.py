"""The demonstration: a local chain with everything on it, and the main job run on it for people to see."""
