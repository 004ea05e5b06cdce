"""The paper's tables, figures and claims, with the user's own networks in them."""
