"""ViT, MLP-Mixer and ResNet, and the catalog of names that --model knows."""
