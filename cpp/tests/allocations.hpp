// How many allocations this program has made; linked into a test that must make none.
#pragma once

namespace allocations {

long count();
// Whether memory that is not asked for through operator new, such as Eigen's, is counted too.
bool includes_malloc();

}  // namespace allocations
