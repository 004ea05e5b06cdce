"""The parameters of a model as one vector: layout, kinds, groups and filters."""
