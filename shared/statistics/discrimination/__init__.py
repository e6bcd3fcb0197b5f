"""How well scores separate malignant from benign: ROC curves, AUCs, operating points."""
