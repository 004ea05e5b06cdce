"""What trainings log as they go: this project's, timm's, Lightning's and Hugging Face's."""
