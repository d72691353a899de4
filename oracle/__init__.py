"""The margin oracle: everything around the engine, from the block to the journal."""
