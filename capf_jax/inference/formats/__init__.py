"""Files that other programs open, one module a format; `catalog` names them all."""
