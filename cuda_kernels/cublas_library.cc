#include "cuda_kernels/cublas_library.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"

namespace espalier::cuda_kernels {
namespace {

// The name behind the header's macro: cublasSgemm is cublasSgemm_v2.
#define ESPALIER_NAME_OF(function) ESPALIER_TEXT_OF(function)
#define ESPALIER_TEXT_OF(function) #function

template <class Function>
void Find(void* library, const char* name, Function& function, bool& all) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  all = all && function != nullptr;
}

absl::StatusOr<const CublasLibrary*> Load() {
  const std::string name = absl::StrCat("libcublas.so.", CUBLAS_VER_MAJOR);
  void* const library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return absl::UnavailableError(absl::StrCat("cuda: ", dlerror()));
  static CublasLibrary loaded;
  bool all = true;
  Find(library, ESPALIER_NAME_OF(cublasCreate), loaded.create, all);
  Find(library, ESPALIER_NAME_OF(cublasDestroy), loaded.destroy, all);
  Find(library, ESPALIER_NAME_OF(cublasSetStream), loaded.set_stream, all);
  Find(library, ESPALIER_NAME_OF(cublasSetMathMode), loaded.set_math_mode, all);
  Find(library, ESPALIER_NAME_OF(cublasSgemm), loaded.sgemm, all);
  Find(library, ESPALIER_NAME_OF(cublasDgemm), loaded.dgemm, all);
  if (!all) return absl::UnavailableError(absl::StrCat("cuda: ", name, " lacks a function"));
  return &loaded;
}

}  // namespace

absl::StatusOr<const CublasLibrary*> LoadCublas() {
  static const auto* const library = new absl::StatusOr<const CublasLibrary*>(Load());
  return *library;
}

}  // namespace espalier::cuda_kernels
