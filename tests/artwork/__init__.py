"""The wizard's pictures can be seen, and are those that were drawn last."""
