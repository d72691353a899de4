"""Reading protocols, prices and history into the types of `oracle.types`."""
