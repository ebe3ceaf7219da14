"""The PCA against Spark ML's and scikit-learn's, and what its numbers keep."""
