# Installs headers and libraries so that find_package(lawfit) finds them.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/lawfit)
set(libraries lawfit)
if(LAWFIT_MODEL)
  list(APPEND libraries lawfit_model lawfit_c)
endif()

install(TARGETS ${libraries} EXPORT lawfitTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY cpp/include/lawfit DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT lawfitTargets NAMESPACE lawfit:: DESTINATION ${package_directory})
configure_package_config_file(cmake/lawfitConfig.cmake.in lawfitConfig.cmake
  INSTALL_DESTINATION ${package_directory})
write_basic_package_version_file(lawfitConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/lawfitConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/lawfitConfigVersion.cmake
  DESTINATION ${package_directory})
