"""The paper in miniature: its comparison of ViT, Mixer and ResNet on few real photographs."""
