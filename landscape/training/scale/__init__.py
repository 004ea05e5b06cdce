"""How a training is carried out: precision, memory and several processes."""
