"""Documents: what each format's file holds, as blocks that know their place in it, and the passages made of them."""
