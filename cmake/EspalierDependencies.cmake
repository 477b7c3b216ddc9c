# Every dependency is a Debian 12 package; see scripts/install_packages.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
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
pkg_check_modules(CLP REQUIRED IMPORTED_TARGET clp)

# OpenBLAS in its OpenMP build, so that oneDNN and BLAS share one thread pool.
find_library(OPENBLAS_LIBRARY NAMES openblas
  PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp NO_DEFAULT_PATH REQUIRED)
find_path(OPENBLAS_INCLUDE NAMES cblas.h PATHS /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp
  NO_DEFAULT_PATH REQUIRED)
add_library(espalier_blas INTERFACE)
target_link_libraries(espalier_blas INTERFACE ${OPENBLAS_LIBRARY})
target_include_directories(espalier_blas SYSTEM INTERFACE ${OPENBLAS_INCLUDE})

if(ESPALIER_SERVICE)
  find_package(gRPC REQUIRED)
  find_package(CLI11 REQUIRED)
  find_package(nlohmann_json REQUIRED)
  find_package(OpenSSL REQUIRED)
  find_package(spdlog REQUIRED)
  find_package(SQLite3 REQUIRED)
  # Debian's package file of prometheus-cpp asks for parts that are not used here (curl, civetweb).
  find_library(PROMETHEUS_LIBRARY NAMES prometheus-cpp-core REQUIRED)
  find_path(PROMETHEUS_INCLUDE NAMES prometheus/text_serializer.h REQUIRED)
  add_library(espalier_prometheus INTERFACE)
  target_link_libraries(espalier_prometheus INTERFACE ${PROMETHEUS_LIBRARY})
  target_include_directories(espalier_prometheus SYSTEM INTERFACE ${PROMETHEUS_INCLUDE})
endif()
include(EspalierStaticLinks)
espalier_prefer_static(absl gRPC)
if(ESPALIER_TESTS)
  find_package(GTest REQUIRED)
endif()
