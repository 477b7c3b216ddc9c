# The CUDA backend's sources: compiled by nvcc here and, as C++ for the CPU, by tests/cuda_on_host, all but
# the loader of cuBLAS.
set(ESPALIER_CUDA_SOURCES cuda_backend.cc state.cc memory.cc staging.cc gemm.cc graph.cc
    maps.cu conv_map.cu float32.cu float64.cu trainable.cu training.cu
    compact.cu)
