"""SVM, random forest, their kernels and their fusion."""
