# Compiles cpp/kernels/block_ops.cpp once per instruction set and adds the results to a target; LAWFIT_KERNEL_OBJECTS
# are these.
#
# The wider builds exist only on x86-64; which one runs is decided when the library is loaded.
function(lawfit_add_kernels target)
  set(directory ${CMAKE_CURRENT_SOURCE_DIR}/cpp/kernels)
  target_sources(${target} PRIVATE ${directory}/dispatch.cpp)

  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND NOT CMAKE_OSX_ARCHITECTURES MATCHES "arm64")
    if(MSVC)
      set(flags_avx2 /arch:AVX2)
      set(flags_avx512 /arch:AVX512)
    else()
      set(flags_avx2 -mavx2 -mfma)
      set(flags_avx512 -mavx512f -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512)
    endif()
    set(builds baseline avx2 avx512)
    set_property(SOURCE ${directory}/dispatch.cpp APPEND PROPERTY
      COMPILE_DEFINITIONS LAWFIT_HAVE_AVX2 LAWFIT_HAVE_AVX512)
  else()
    set(builds baseline)
  endif()

  foreach(build IN LISTS builds)
    set(library lawfit_kernels_${build})
    add_library(${library} OBJECT ${directory}/block_ops.cpp)
    target_include_directories(${library} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/cpp/include)
    target_compile_definitions(${library} PRIVATE LAWFIT_BUILD=${build})
    if(NOT MSVC)
      # No errno and no traps let loops vectorise. Never -ffast-math: it would change the results and,
      # through crtfastmath.o, how the whole process treats subnormal numbers.
      target_compile_options(${library} PRIVATE -O3 -fno-math-errno -fno-trapping-math)
    endif()
    target_compile_options(${library} PRIVATE ${flags_${build}})
    lawfit_warnings(${library})
    list(APPEND objects $<TARGET_OBJECTS:${library}>)
  endforeach()
  target_sources(${target} PRIVATE ${objects})
  set(LAWFIT_KERNEL_OBJECTS ${objects} PARENT_SCOPE)
endfunction()
