# For a CPU: docker build -t capf-jax .
# For NVIDIA GPUs: docker build -t capf-jax:cuda --build-arg JAX=jax[cuda13] .
# docs/docker.md says more.
FROM python:3.13-slim

ARG JAX=jax
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1

WORKDIR /capf-jax
COPY requirements.txt .
RUN pip install "$JAX" -r requirements.txt
COPY . .

# Compiled programs and results go to a volume: what is in the container is lost with it.
ENV PYTHONPATH=/capf-jax JAX_COMPILATION_CACHE_DIR=/work/compiled
WORKDIR /work
ENTRYPOINT ["python", "-m"]
CMD ["capf_jax.predict", "--help"]
