"""The common corruptions of Hendrycks and Dietterich (ICLR 2019)."""
