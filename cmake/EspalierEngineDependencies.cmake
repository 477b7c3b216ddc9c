# What the engine links. Used by this build and, installed beside espalierConfig.cmake, by every project that links the
# installed library, so that both look in the same way.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Protobuf REQUIRED)
find_package(ZLIB REQUIRED)
find_package(absl REQUIRED)
# Debian's dnnl-config.cmake asks for the OpenCL headers, which the CPU engine does not need.
find_library(DNNL_LIBRARY NAMES dnnl REQUIRED)
find_path(DNNL_INCLUDE NAMES oneapi/dnnl/dnnl.hpp REQUIRED)
if(NOT TARGET DNNL::dnnl)
  add_library(DNNL::dnnl UNKNOWN IMPORTED)
  set_target_properties(DNNL::dnnl PROPERTIES IMPORTED_LOCATION ${DNNL_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${DNNL_INCLUDE})
endif()
if(NOT TARGET PkgConfig::CLP)
  pkg_check_modules(CLP REQUIRED IMPORTED_TARGET clp)
endif()

# OpenBLAS in its OpenMP build, so that oneDNN and BLAS share one thread pool.
find_library(OPENBLAS_LIBRARY NAMES openblas
  PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp NO_DEFAULT_PATH REQUIRED)
find_path(OPENBLAS_INCLUDE NAMES cblas.h PATHS /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp
  NO_DEFAULT_PATH REQUIRED)
if(NOT TARGET espalier_blas)
  add_library(espalier_blas INTERFACE IMPORTED)
  target_link_libraries(espalier_blas INTERFACE ${OPENBLAS_LIBRARY})
  target_include_directories(espalier_blas SYSTEM INTERFACE ${OPENBLAS_INCLUDE})
endif()
