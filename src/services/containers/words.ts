/** Adjectives and people of science and engineering, for names of containers that nobody named. */

const list = (text: string): readonly string[] => text.trim().split(/\s+/);

export const adjectives = list(`
  able agile airy amber ample apt arctic autumn azure balmy bold brave breezy bright brisk calm candid careful cheerful
  civil clear clever coastal cosmic cozy crisp curious daring deft diligent eager early earnest easy elegant even fair
  fearless festive fleet fluent fond fresh gallant gentle genuine giddy glad golden graceful grand handy happy hardy
  hearty hopeful humble jolly jovial keen kind lasting lively loyal lucid lucky mellow merry mild modest neat nimble
  noble novel patient placid plucky polite prime proud prudent quick quiet rapid ready robust royal rustic sage serene
  sharp silent silver sincere skilled sleek smart snug solar solid spry stable steady stellar stoic sturdy sunny swift
  tidy tranquil trusty upbeat vivid warm wise witty zesty`);

export const surnames = list(`
  abel ampere archimedes babbage banach bell bernoulli bohr boole bose boyle brahe burnell cannon cantor carson
  cauchy cayley celsius chandra clarke cori coulomb cray curie dalton darwin dijkstra dirac earhart edison einstein
  elion engelbart erdos euclid euler faraday fermat fermi feynman fourier franklin galileo galois gauss germain goodall
  hamilton hawking heisenberg herschel hertz hilbert hopper hubble hypatia jacobi jemison joule kepler khorana kilby
  knuth kovalevskaya lagrange lamarr landau laplace leavitt leibniz liskov lovelace mach maxwell mccarthy meitner
  mendel mendeleev mirzakhani moore morse napier newton nobel noether ohm pascal pasteur pauli payne perlman planck
  poincare ptolemy raman ramanujan riemann ritchie rubin sagan shannon somerville tesla thompson torvalds turing villani
  volta wiles wing wozniak wu yalow yonath`);
