"""The networks and the text side, as plain functions of tensors."""
