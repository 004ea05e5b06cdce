"""What is minimised: a supervised or a contrastive loss; attacks for adversarial training."""
