"""What is minimised: a supervised, an adversarial or a contrastive loss."""
