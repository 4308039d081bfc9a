"""Moving meshes: geometry, and courses of clock and mesh, predicted in closed form or found."""
