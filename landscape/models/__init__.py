"""ViT, MLP-Mixer and ResNet, and the names that ``--model`` knows."""
